"""The SOC's web console: what the topics hold, in a browser, and what operators decide, back to a topic.

It is a process of its own. A follower reads the topics into an index in SQLite, which can be deleted at any time and is
built again from them; pages are made on the server from the index alone.
"""
