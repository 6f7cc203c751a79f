"""The sandbox: our own imitation of vendors, spoken over real HTTP, with every failure on demand.

It imports nothing of the gateway but `base/` and `spec/`, so that it stays an honest other side. `app.create`
makes the ASGI app. A vendor is one module in `faces/`; what several vendors share in their wire format lies in
`forms/`; what they "think" in `brain/`, which knows no wire format; HTTP, faults and the log in `serving/`.
"""
