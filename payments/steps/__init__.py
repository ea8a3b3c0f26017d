"""The steps of sagas that move money: each works on a batch of orders or payments."""
