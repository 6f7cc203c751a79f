"""Wire formats that several faces share: reading and checking of calls, writing of answers, errors. No HTTP."""
