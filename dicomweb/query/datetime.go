package query

import (
	"strings"
	"time"

	"mome/dicomweb"
)

// canonicalDate reads a DA: YYYYMMDD, or the form of ACR-NEMA with dots.
func canonicalDate(v string) (string, bool) {
	if len(v) == 10 && v[4] == '.' && v[7] == '.' {
		v = v[:4] + v[5:7] + v[8:]
	}
	if len(v) != 8 || strings.Trim(v, "0123456789") != "" {
		return "", false
	}
	_, err := time.Parse("20060102", v)
	return v, err == nil
}

// timeBounds reads a TM: HH, HHMM, HHMMSS or HHMMSS.F to .FFFFFF, or the form of ACR-NEMA with colons, and returns the
// first and last microsecond that it may mean, as HHMMSSFFFFFF.
func timeBounds(v string) (lo, hi string, ok bool) {
	if len(v) >= 5 && v[2] == ':' {
		v = strings.ReplaceAll(v, ":", "")
	}
	whole, fraction, dotted := strings.Cut(v, ".")
	n := len(whole)
	switch {
	case n != 2 && n != 4 && n != 6, strings.Trim(whole+fraction, "0123456789") != "":
		return "", "", false
	case dotted && (n != 6 || fraction == "" || len(fraction) > 6):
		return "", "", false
	case whole[:2] > "23", n > 2 && whole[2:4] > "59", n > 4 && whole[4:6] > "60": // 60: a leap second
		return "", "", false
	}
	return whole + "000000"[n:] + fraction + "000000"[len(fraction):],
		whole + "235959"[n:] + fraction + "999999"[len(fraction):], true
}

func dateTerm(v string) (Term, error) {
	from, to, ranged := strings.Cut(v, "-")
	bad := dicomweb.Errorf(dicomweb.BadRequest, "a date is YYYYMMDD, a range YYYYMMDD-YYYYMMDD where one side may be empty")
	if !ranged {
		d, ok := canonicalDate(v)
		if !ok {
			return Term{}, bad
		}
		return Term{Op: Equal, Lo: d}, nil
	}
	t := Term{Op: Between}
	for _, end := range []struct {
		text string
		out  *string
	}{{from, &t.Lo}, {to, &t.Hi}} {
		if end.text = strings.TrimSpace(end.text); end.text == "" {
			continue
		}
		d, ok := canonicalDate(end.text)
		if !ok {
			return Term{}, bad
		}
		*end.out = d
	}
	if t.Lo == "" && t.Hi == "" {
		return Term{}, bad
	}
	return t, nil
}

// timeTerm reads a time or a range of times. A single time matches by its meaning, 1030 and 103000.0 being the same;
// the end of a range is the last moment that it may mean (PS3.4 C.2.2.2.5).
func timeTerm(v string) (Term, error) {
	from, to, ranged := strings.Cut(v, "-")
	bad := dicomweb.Errorf(dicomweb.BadRequest, "a time is HHMMSS.FFFFFF or its beginning, a range two of them with - between, where one side may be empty")
	lo, _, okFrom := timeBounds(strings.TrimSpace(from))
	if !ranged {
		if !okFrom {
			return Term{}, bad
		}
		return Term{Op: Equal, Lo: lo}, nil
	}
	_, hi, okTo := timeBounds(strings.TrimSpace(to))
	switch {
	case okFrom && okTo:
		return Term{Op: Between, Lo: lo, Hi: hi}, nil
	case okFrom && strings.TrimSpace(to) == "":
		return Term{Op: Between, Lo: lo}, nil
	case okTo && strings.TrimSpace(from) == "":
		return Term{Op: Between, Hi: hi}, nil
	}
	return Term{}, bad
}

// dateTimeTerm reads a DT or a range of DTs. A hyphen may begin the offset from UTC as well as the end of a range:
// what can be read as one DT is one.
func dateTimeTerm(v string) (Term, error) {
	if _, ok := parseMoment(v, ""); ok {
		return Term{Op: Equal, Lo: v}, nil
	}
	for i := range len(v) {
		if v[i] != '-' {
			continue
		}
		from, to := strings.TrimSpace(v[:i]), strings.TrimSpace(v[i+1:])
		_, okFrom := parseMoment(from, "")
		_, okTo := parseMoment(to, "")
		if (okFrom || from == "") && (okTo || to == "") && from+to != "" {
			return Term{Op: Between, Lo: from, Hi: to}, nil
		}
	}
	return Term{}, dicomweb.Errorf(dicomweb.BadRequest, "a date time is YYYYMMDDHHMMSS.FFFFFF&ZZXX or its beginning, a range two of them with - between, where one side may be empty")
}

// moment is what a DT may mean: the first and the last microsecond.
type moment struct {
	lo, hi time.Time
	zoned  bool // with an offset from UTC
}

// parseMoment reads a DT (PS3.5 section 6.2): YYYY, then as much as is known of MMDDHHMMSS.FFFFFF, then an offset from
// UTC such as -0500. Where it has no offset, zone is taken, if that is one.
func parseMoment(v, zone string) (m moment, ok bool) {
	location := time.UTC
	if n := len(v); n > 5 && (v[n-5] == '+' || v[n-5] == '-') {
		v, zone = v[:n-5], v[n-5:]
		if _, err := time.Parse("-0700", zone); err != nil {
			return m, false
		}
	}
	if at, err := time.Parse("-0700", zone); err == nil {
		location, m.zoned = at.Location(), true
	}
	whole, fraction, dotted := strings.Cut(v, ".")
	n := len(whole)
	if n < 4 || n > 14 || n%2 == 1 || dotted && (n != 14 || fraction == "" || len(fraction) > 6) ||
		strings.Trim(fraction, "0123456789") != "" {
		return m, false
	}
	const shortest = "00010101000000"
	lo, err := time.ParseInLocation("20060102150405", whole+shortest[n:], location)
	if err != nil {
		return m, false
	}
	m.lo = lo
	switch n {
	case 4:
		m.hi = lo.AddDate(1, 0, 0)
	case 6:
		m.hi = lo.AddDate(0, 1, 0)
	case 8:
		m.hi = lo.AddDate(0, 0, 1)
	case 10:
		m.hi = lo.Add(time.Hour)
	case 12:
		m.hi = lo.Add(time.Minute)
	default:
		unit := time.Second
		for _, digit := range []byte(fraction) {
			unit /= 10
			m.lo = m.lo.Add(time.Duration(digit-'0') * unit)
		}
		m.hi = m.lo.Add(unit)
	}
	m.hi = m.hi.Add(-time.Microsecond)
	return m, true
}

// matchMoment compares the DT value v of a data set in time zone zone (Timezone Offset From UTC, may be empty).
func matchMoment(t Term, v, zone string) bool {
	m, ok := parseMoment(v, zone)
	if !ok {
		return t.Op == Equal && t.Lo == v
	}
	lo, hasLo := parseMoment(t.Lo, "")
	if t.Op == Equal {
		return hasLo && order(m.lo, m.zoned, lo.lo, lo.zoned) == 0
	}
	hi, hasHi := parseMoment(t.Hi, "")
	return (!hasLo || order(m.lo, m.zoned, lo.lo, lo.zoned) >= 0) && (!hasHi || order(m.lo, m.zoned, hi.hi, hi.zoned) <= 0)
}

// order compares two moments; where only one tells its zone, both are taken as local time.
func order(a time.Time, aZoned bool, b time.Time, bZoned bool) int {
	if aZoned != bZoned {
		a, b = wall(a), wall(b)
	}
	return a.Compare(b)
}

// wall returns the same clock reading in UTC.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
