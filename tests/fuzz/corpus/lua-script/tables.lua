local t = {5, 3, 1, x = 2} table.sort(t, function(a, b) return a < b end)
table.move(t, 1, 3, 2) table.insert(t, 1, 9) print(table.concat(t, ","), table.unpack(t))
for k, v in pairs(t) do t[k] = nil end
