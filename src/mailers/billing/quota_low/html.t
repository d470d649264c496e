<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#1d2321;background:#f6f5f2">
<div style="max-width:480px;margin:0 auto;padding:28px;background:#ffffff;border-radius:14px">
<p style="margin:0 0 16px;font-size:20px;font-weight:600">Your month is {% if is_used_up %}used up{% else %}running low{% endif %}</p>
<p style="margin:0 0 20px;line-height:1.5">{% if is_used_up %}All of your month is used.{% else %}About 20 % of your month is left.{% endif %} It counts until {{ end }}, and ends by itself: nothing is charged.</p>
<p style="margin:0 0 20px;line-height:1.5">{% if has_next %}Your next month is paid, and begins when this one ends. You can begin it earlier.{% elif is_used_up %}If you want to go on, pay for another month. It begins as soon as it is paid, in full.{% else %}If you want to go on, pay for the next month whenever it suits you. It begins when this one ends, or as soon as it is paid if nothing of this one is left by then.{% endif %}</p>
<p style="margin:0 0 20px"><a href="{{ link }}" style="display:inline-block;padding:12px 20px;border-radius:10px;background:#0f6f5c;color:#ffffff;text-decoration:none;font-weight:600">{% if has_next %}Begin it now{% else %}Renew{% endif %}</a></p>
<p style="margin:0;font-size:14px;line-height:1.5;color:#59625f">If you do not want to go on, do nothing: this is the only mail about it. What you made at {{ site }} stays yours.</p>
</div></body></html>
