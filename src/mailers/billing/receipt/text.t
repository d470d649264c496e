{% if is_marked %}Your invoice of {{ price }} is settled.{% else %}Your payment of {{ price }} arrived. Thank you.{% endif %}

Your month of nproxy runs from {{ from }} to {{ until }}. It ends by itself; nothing is charged again unless you pay for another month.

Your receipt:

{{ link | safe }}
