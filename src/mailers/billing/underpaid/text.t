{{ paid }} of {{ price }} arrived; {{ rest }} is missing, so your month has not begun yet.

{% if is_stuck %}What you sent is not lost, but the rest cannot be sent after it: the payment service adds no second transfer to the first. Send nothing more. Answer this mail, and we put it right.{% elif is_over %}The time to pay is over. What you sent is not lost: answer this mail, or send the rest if your wallet still can. It counts as soon as all of it is there.{% else %}Send the rest before {{ until }}. This page says how much that is in your coin, and where it goes. Your month begins as soon as it arrives.{% endif %}

{{ link | safe }}

Exchanges often take their fee out of the amount. A wallet of your own sends exactly what you type.
