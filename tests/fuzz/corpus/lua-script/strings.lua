local s = ("a"):rep(40) s:find(".-.-b") print(s:gsub("a", {a = "b"}), s:byte(1, 9), #s)
for w in s:gmatch("()a") do s = s .. w end
