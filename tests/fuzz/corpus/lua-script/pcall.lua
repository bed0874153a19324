while true do pcall(function() local t <close> = setmetatable({}, {__close = print}) end) break end
