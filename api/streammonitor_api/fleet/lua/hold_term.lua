-- Notes that an operator is alive.
-- uses: term
--
-- KEYS  1 term
-- ARGV  1 term
-- Returns {'ok', now in ms} | {'lost'} | {'fenced', term, name}
return refuse_term(KEYS[1], ARGV[1]) or {'ok', now_ms()}
