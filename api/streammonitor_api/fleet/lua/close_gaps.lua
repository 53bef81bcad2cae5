-- Ends coverage gaps and adds them to the history of gaps.
-- uses: term
--
-- KEYS  1 term  2 open gaps  3 gaps
-- ARGV  1 term  2 gaps to keep in the history, then pairs: stream, end in ms
-- Returns {'ok', {gap as JSON, its end in ms, …}}, those that were open
--         {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
local ended = {}
for index = 3, #ARGV, 2 do
  local gap = redis.call('HGET', KEYS[2], ARGV[index])
  if gap then
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 'gap', gap, 'to_ms', ARGV[index + 1])
    redis.call('HDEL', KEYS[2], ARGV[index])
    ended[#ended + 1] = gap
    ended[#ended + 1] = ARGV[index + 1]
  end
end
return {'ok', ended}
