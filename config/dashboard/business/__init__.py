"""The business page: each report of analytics as headline, chart and table, with what it is compared with.

All that is chosen is in the address, so that it can be sent to somebody. Figures come from the lake, by the
path of the API: what one of both has read serves the other.
"""
