-- Writes back what Redis lost of a stream's incidents, and changes nothing that it knows.
-- uses: term incidents
--
-- KEYS  1 term  2 open  3 open of the stream  4 incidents of the stream  5 events
-- ARGV  1 term  2 stream  3 events to keep in the history, then of nine: incident, revision, epoch,
--       onset in ms, when it was over in ms or -1, track: `detector track name`,
--       its last event as JSON, targets to notify as JSON or '',
--       while it is open that incident as JSON, else ''
-- Returns {'ok', incidents that were written} | {'lost'} | {'fenced', term, name}
-- One that was closed is closed again where Redis came back from before that. One that was open
-- waits for an owner to adopt it; where its track has another open one by now, it is that.
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
local stream, kept, keys, written = ARGV[2], ARGV[3], event_keys(2), 0

local function write_back(id, entry, open)
  local other = open ~= '' and open_on(keys, entry.track)
  write_known(keys.incidents_of, id, {
    revision = entry.revision, epoch = entry.epoch, onset_ms = entry.onset_ms,
    recovery_ms = entry.recovery_ms, noted_ms = string.format('%d', now_ms()), track = entry.track,
    state = other and 'merged:' .. other or open ~= '' and 'open' or 'closed',
  })
  append_event(keys.events, entry, other or '')
  if open ~= '' and not other then
    redis.call('HSET', keys.open, id, open)
    redis.call('HSET', keys.open_of, entry.track, id)
  end
end

for index = 4, #ARGV, 9 do
  local id, open, known = ARGV[index], ARGV[index + 8], read_known(keys.incidents_of, ARGV[index])
  local entry = {
    stream = stream, id = id, worker = '-', kept = kept, kind = 'closed',
    revision = tonumber(ARGV[index + 1]), epoch = ARGV[index + 2],
    onset_ms = tonumber(ARGV[index + 3]), recovery_ms = ARGV[index + 4],
    track = ARGV[index + 5], event = ARGV[index + 6], notify = ARGV[index + 7],
  }
  if not known then
    write_back(id, entry, open)
    written = written + 1
  elseif open == '' and known.state == 'open' then
    record_event(keys, entry, known)
    written = written + 1
  end
end
return {'ok', written}
