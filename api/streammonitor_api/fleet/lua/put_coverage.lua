-- Writes how long streams were wanted and watched; totals, not additions.
-- uses: term
--
-- KEYS  1 term  2 coverage
-- ARGV  1 term, then pairs: stream, total as JSON
-- Returns {'ok'} | {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
for index = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1])
end
return {'ok'}
