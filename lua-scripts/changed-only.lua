-- Lets a reading through only when one of its values has changed since the last one of that meter,
-- and once a day in any case.

local last = {}

local function fingerprint(reading)
  local parts = {}
  for _, record in ipairs(reading.records) do
    if record.quantity ~= "date-time" and record.quantity ~= "on-time"
      and record.quantity ~= "operating-time" then
      parts[#parts + 1] = record.series .. "=" .. record.text
    end
  end
  return table.concat(parts, ";")
end

function process(reading)
  if reading.error or not reading.meter then
    return true
  end
  local meter = reading.meter
  local key = (meter.manufacturer or "") .. meter.id
  local before = last[key]
  local now, day = fingerprint(reading), (reading.unix or 0) // 86400
  if before and before.values == now and before.day == day then
    return false
  end
  last[key] = {values = now, day = day}
  return true
end
