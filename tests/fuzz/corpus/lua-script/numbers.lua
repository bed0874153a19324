local d = decimal("12.30"):divide(7, 3) goto out ::out:: return d * 2 - -d, 7 // 2, 1 << 62, 0x1p4, utf8.len("é")
