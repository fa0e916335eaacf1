"""Plans that are sold elsewhere: what a provider says that a user has, and buying at Stripe."""
