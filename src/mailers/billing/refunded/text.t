We give your payment of {{ price }} back. The month that it paid for has ended.
{% if owes %}
Pictures that you made with it are yours, and are still to be paid: the next plan that you buy settles them by itself. Until then nothing new can be started.
{% endif %}
Your invoice:

{{ link | safe }}

You did not ask for this, or the money does not come? Answer this mail.
