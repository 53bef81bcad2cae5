-- Gives up a claim; its epoch stays.
-- uses: claims
--
-- KEYS  1 claims
-- ARGV  1 stream  2 epoch  3 worker  4 incarnation
-- Returns 1, or 0 if it was not held
local held = read_claim(KEYS[1], ARGV[1])
if not held or held.epoch ~= tonumber(ARGV[2]) or held.worker ~= ARGV[3]
  or held.incarnation ~= ARGV[4] then
  return 0
end
held.worker, held.incarnation = '-', '-'
held.claimed_ms = string.format('%d', held.claimed_ms)
write_claim(KEYS[1], ARGV[1], held)
return 1
