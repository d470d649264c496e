Your plan ended on {{ end }}. Nothing was charged, and what you made stays yours.

{% if has_invoice %}If you want to go on, an invoice for another month is ready. You need not log in to pay it:{% else %}If you want to go on, pay for another month:{% endif %}

{{ link | safe }}

Your month begins as soon as it is paid.

If you do not want to go on, do nothing: this is the last mail about it.
