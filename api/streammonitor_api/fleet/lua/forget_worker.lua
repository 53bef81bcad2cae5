-- Removes a worker that will not come back; one that lives is left alone.
-- uses: term
--
-- KEYS  1 term  2 beats  3 tables  4 revisions  5 assignments of the worker
--       6 starts
-- ARGV  1 term  2 worker  3 ms after which a silent worker is dead
-- Returns {'ok', 1 if it was removed, 0 if it lives} | {'lost'} | {'fenced', term, name}
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
local beat = redis.call('HGET', KEYS[2], ARGV[2])
if beat and now_ms() - tonumber(string.match(beat, '^%d+')) <= tonumber(ARGV[3]) then
  return {'ok', 0}
end
for _, hash in ipairs({KEYS[2], KEYS[3], KEYS[4], KEYS[6]}) do
  redis.call('HDEL', hash, ARGV[2])
end
redis.call('DEL', KEYS[5])
return {'ok', 1}
