-- Notes that an operator is alive, and has written back whatever Redis lost.
-- uses: term
--
-- KEYS  1 term
-- ARGV  1 term
-- Returns {'ok', now in ms} | {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
redis.call('HDEL', KEYS[1], 'restoring')
return {'ok', now_ms()}
