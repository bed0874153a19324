-- Adds each energy counter in kWh beside the original in Wh or J.

function process(reading)
  for i = 1, #reading.records do
    local record = reading.records[i]
    if record.quantity == "energy" and record.kind == "number" then
      local value = decimal(record.value)
      if record.unit == "Wh" then
        reading:add{quantity = "energy-kwh", unit = "kWh", value = value:divide(1000, 3)}
      elseif record.unit == "J" then
        reading:add{quantity = "energy-kwh", unit = "kWh", value = value:divide(3600000, 3)}
      end
    end
  end
end
