<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#1d2321;background:#f6f5f2">
<div style="max-width:480px;margin:0 auto;padding:28px;background:#ffffff;border-radius:14px">
<p style="margin:0 0 16px;font-size:20px;font-weight:600">Your payment is refunded</p>
<p style="margin:0 0 20px;line-height:1.5">We give your payment of {{ price }} back. The month that it paid for has ended.</p>
{% if owes %}<p style="margin:0 0 20px;line-height:1.5">Pictures that you made with it are yours, and are still to be paid: the next plan that you buy settles them by itself. Until then nothing new can be started.</p>{% endif %}
<p style="margin:0 0 20px"><a href="{{ link }}" style="display:inline-block;padding:12px 20px;border-radius:10px;background:#0f6f5c;color:#ffffff;text-decoration:none;font-weight:600">See the invoice</a></p>
<p style="margin:0;font-size:14px;line-height:1.5;color:#59625f">You did not ask for this, or the money does not come? Answer this mail. Your account at {{ site }} stays as it is.</p>
</div></body></html>
