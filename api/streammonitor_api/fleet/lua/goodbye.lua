-- Removes the heartbeat of a worker that stops on purpose.
--
-- KEYS  1 beats  2 tables
-- ARGV  1 worker  2 incarnation
-- Returns 1, or 0 if it was not there or is another incarnation's
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored or string.match(stored, '^%d+ (%S+)') ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
