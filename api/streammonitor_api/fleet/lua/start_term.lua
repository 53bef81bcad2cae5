-- Begins an operator's term, higher than any before.
--
-- KEYS  1 term  2 version
-- ARGV  1 identity of the fleet's home  2 name of the operator's process
--       3 a term that the new one has to be above  4 contract version of the operator
--       5 ms for which an operator of another identity may be silent before it counts as gone
--       6 ms for which workers are not believed, unless hold_term says earlier that all is written
--         back that Redis lost; 0: they are believed at once
-- Returns {'started', term}
--         {'foreign', identity, name, ms since it was seen}: another fleet of this name lives here
--         {'version', version}: the fleet is of a newer contract
local held = redis.call('HMGET', KEYS[1], 'term', 'identity', 'name', 'seen_ms')
local now = now_ms()
local version = tonumber(redis.call('GET', KEYS[2]) or 0)
if version > tonumber(ARGV[4]) then
  return {'version', version}
end
if held[2] and held[2] ~= ARGV[1] and now - tonumber(held[4]) < tonumber(ARGV[5]) then
  return {'foreign', held[2], held[3], now - tonumber(held[4])}
end
local term = math.max(tonumber(held[1] or 0), tonumber(ARGV[3])) + 1
redis.call('HSET', KEYS[1], 'term', term, 'identity', ARGV[1], 'name', ARGV[2], 'seen_ms', now)
if tonumber(ARGV[6]) > 0 then
  redis.call('HSET', KEYS[1], 'restoring_until_ms', now + tonumber(ARGV[6]))
end
redis.call('SET', KEYS[2], ARGV[4])
return {'started', term}
