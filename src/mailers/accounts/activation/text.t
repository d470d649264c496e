Welcome to nproxy.

Open this link and press the button to activate your account:

{{ link | safe }}

The link works once, for 24 hours. Three free pictures are waiting for you.

If you did not sign up at {{ site }}, ignore this mail and press nothing: the account would have a password that somebody else chose. Without the button nothing happens.
