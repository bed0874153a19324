-- All readings as JSON, in the shape that the rest of the gateway uses.

template = {
  title = "Readings as JSON",
  help = "One object with the gateway, the time it was scheduled for and the list of readings.",
  options = {
    {name = "lines", kind = "bool", default = false, title = "One reading a line",
      help = "Writes one JSON object a line (NDJSON), without the object around them."},
  },
}

function render(batch, out, options)
  if options.lines then
    local ndjson = out:document{name = out:name("valuereport", "ndjson"),
      type = "application/x-ndjson", charset = "UTF-8"}
    for reading in batch:readings() do
      ndjson:json(reading)
      ndjson:write("\n")
    end
    return
  end
  local json = out:document{name = out:name("valuereport", "json"), type = "application/json",
    charset = "UTF-8"}
  json:write('{"gateway":')
  json:json{serial = gateway.serial, name = gateway.name, contact = gateway.contact}
  json:write(',"due":')
  json:json(text.date(batch.due, "YYYY-MM-DD'T'hh:mm:ssZ"))
  json:write(',"test":')
  json:json(batch.test)
  json:write(',"readings":[')
  local first = true
  for reading in batch:readings() do
    json:write(first and "\n" or ",\n")
    json:json(reading)
    first = false
  end
  json:write("\n]}\n")
end
