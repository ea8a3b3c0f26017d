"""The steps of the order sagas: each works on a batch of orders, in its checkpoint's transaction."""
