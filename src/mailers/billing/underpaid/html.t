<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#1d2321;background:#f6f5f2">
<div style="max-width:480px;margin:0 auto;padding:28px;background:#ffffff;border-radius:14px">
<p style="margin:0 0 16px;font-size:20px;font-weight:600">A part of it arrived</p>
<p style="margin:0 0 20px;line-height:1.5">{{ paid }} of {{ price }} arrived; {{ rest }} is missing, so your month has not begun yet.</p>
{% if is_stuck %}<p style="margin:0 0 20px;line-height:1.5">What you sent is not lost, but the rest cannot be sent after it: the payment service adds no second transfer to the first. Send nothing more. Answer this mail, and we put it right.</p>{% elif is_over %}<p style="margin:0 0 20px;line-height:1.5">The time to pay is over. What you sent is not lost: answer this mail, or send the rest if your wallet still can. It counts as soon as all of it is there.</p>{% else %}<p style="margin:0 0 20px;line-height:1.5">Send the rest before {{ until }}. The page below says how much that is in your coin, and where it goes. Your month begins as soon as it arrives.</p>{% endif %}
<p style="margin:0 0 20px"><a href="{{ link }}" style="display:inline-block;padding:12px 20px;border-radius:10px;background:#0f6f5c;color:#ffffff;text-decoration:none;font-weight:600">{% if is_over or is_stuck %}See the invoice{% else %}Send the rest{% endif %}</a></p>
<p style="margin:0;font-size:14px;line-height:1.5;color:#59625f">Exchanges often take their fee out of the amount. A wallet of your own sends exactly what you type. You need not log in at {{ site }} to open the page.</p>
</div></body></html>
