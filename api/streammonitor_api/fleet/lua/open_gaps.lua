-- Notes coverage gaps that begin; a stream that is in one stays in that.
-- uses: term
--
-- KEYS  1 term  2 open gaps
-- ARGV  1 term, then pairs: stream, gap as JSON
-- Returns {'ok'} | {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
for index = 2, #ARGV, 2 do
  redis.call('HSETNX', KEYS[2], ARGV[index], ARGV[index + 1])
end
return {'ok'}
