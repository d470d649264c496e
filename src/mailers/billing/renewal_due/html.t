<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#1d2321;background:#f6f5f2">
<div style="max-width:480px;margin:0 auto;padding:28px;background:#ffffff;border-radius:14px">
<p style="margin:0 0 16px;font-size:20px;font-weight:600">Your plan ends {{ when }}</p>
<p style="margin:0 0 20px;line-height:1.5">It is active until {{ end }}, and ends by itself: nothing is charged.</p>
{% if has_invoice %}<p style="margin:0 0 20px;line-height:1.5">If you want to go on, an invoice for the next month is ready. You need not log in to pay it. Your next month begins when this one ends, in full.</p>{% else %}<p style="margin:0 0 20px;line-height:1.5">If you want to go on, pay for the next month whenever it suits you. It begins when this one ends, in full.</p>{% endif %}
<p style="margin:0 0 20px"><a href="{{ link }}" style="display:inline-block;padding:12px 20px;border-radius:10px;background:#0f6f5c;color:#ffffff;text-decoration:none;font-weight:600">{% if has_invoice %}Pay for the next month{% else %}Renew{% endif %}</a></p>
<p style="margin:0;font-size:14px;line-height:1.5;color:#59625f">If you do not want to go on, do nothing. What you made at {{ site }} stays yours.</p>
</div></body></html>
