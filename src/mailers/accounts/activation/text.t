Welcome to nproxy.

Open this link and press the button to activate your account:

{{ link | safe }}

The link works once, for 24 hours. Three free pictures are waiting for you.

If you did not sign up at {{ site }}, ignore this mail: without the button nothing happens.
