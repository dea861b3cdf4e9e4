"""The audit log: an answer is sent only after its record is durable, chained, signed and encrypted.

::

    keys.py refusals.py tables.py database.py migrations/    what it stands on
    entries.py sealing.py drafts.py                          from an answer to a row: pseudonyms, ciphertext
    chain.py heads.py group_commit.py auditor.py             from rows to a durable, signed chain
    recorded.py                                              predictor and log as one, for the routes
    reading.py export.py segments.py used_tokens.py          what is done with it later
    verifying.py disorder.py key_check.py replay.py          whether it still is what was written
    commands.py commands_upkeep.py opened_log.py             ``oncorespond audit``
"""
