local last = {}
function process(reading)
  local id = tostring(reading) .. ("%5.2f"):format(1.5)
  last[id] = (last[id] or decimal("0.1")) + 1
  return last[id] > 2
end
process({})
