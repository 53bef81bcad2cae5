-- Notes that an operator is alive.
-- uses: term
--
-- KEYS  1 term
-- ARGV  1 term  2 1 if it has written back whatever Redis lost, else 0
-- Returns {'ok', now in ms} | {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
if ARGV[2] == '1' then
  redis.call('HDEL', KEYS[1], 'restoring_until_ms')
end
return {'ok', now_ms()}
