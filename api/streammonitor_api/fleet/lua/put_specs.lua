-- Writes specs of streams.
-- uses: term
--
-- KEYS  1 term  2 specs  3 forgotten
-- ARGV  1 term, then pairs: stream, spec as JSON
-- Returns {'ok'} | {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
for index = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1])
  redis.call('ZREM', KEYS[3], ARGV[index])
end
return {'ok'}
