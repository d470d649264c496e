{% if is_used_up %}All of your month is used.{% else %}About 20 % of your month is left.{% endif %} It counts until {{ end }}, and ends by itself: nothing is charged.

{% if has_next %}Your next month is paid, and begins when this one ends. You can begin it earlier:{% elif is_used_up %}If you want to go on, pay for another month. It begins as soon as it is paid, in full:{% else %}If you want to go on, pay for the next month whenever it suits you. It begins when this one ends, or as soon as it is paid if nothing of this one is left by then:{% endif %}

{{ link | safe }}

If you do not want to go on, do nothing: this is the only mail about it. What you made stays yours.
