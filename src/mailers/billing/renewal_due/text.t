Your plan is active until {{ end }}, and ends by itself: nothing is charged.

{% if has_invoice %}If you want to go on, an invoice for the next month is ready. You need not log in to pay it:{% else %}If you want to go on, pay for the next month whenever it suits you:{% endif %}

{{ link | safe }}

Your next month begins when this one ends, in full.

If you do not want to go on, do nothing. What you made stays yours.
