<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:#1d2321;background:#f6f5f2">
<div style="max-width:480px;margin:0 auto;padding:28px;background:#ffffff;border-radius:14px">
<p style="margin:0 0 16px;font-size:20px;font-weight:600">Your month is paid</p>
<p style="margin:0 0 20px;line-height:1.5">{% if is_marked %}Your invoice of {{ price }} is settled.{% else %}Your payment of {{ price }} arrived. Thank you.{% endif %}</p>
<p style="margin:0 0 20px;line-height:1.5">Your month of nproxy runs from {{ from }} to {{ until }}.</p>
<p style="margin:0 0 20px"><a href="{{ link }}" style="display:inline-block;padding:12px 20px;border-radius:10px;background:#0f6f5c;color:#ffffff;text-decoration:none;font-weight:600">See the receipt</a></p>
<p style="margin:0;font-size:14px;line-height:1.5;color:#59625f">It ends by itself; nothing is charged again unless you pay for another month at {{ site }}.</p>
</div></body></html>
