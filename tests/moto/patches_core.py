"""What concerns every service: who is calling, and whether a policy lets them.

moto's own enforcement matches action names only, and refuses every statement with a condition or a resource; here
iam.py decides, with resources and tag conditions. Signatures are not verified: that is the SDK's work.
"""

from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.models import get_account_id_from

import iam


def install():
    ActionAuthenticatorMixin._authenticate_and_authorize_normal_action = authorize


def account_of(access_key):
    return get_account_id_from(access_key)


def authorize(self, resource="*"):
    """Called by moto before each action."""
    iam.check(self)
