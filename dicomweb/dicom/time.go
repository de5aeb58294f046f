package dicom

import (
	"strconv"
	"strings"
	"time"

	"mome/dicomweb/dicom/tag"
)

// Time returns the instant that a DA and a TM attribute tell together, with its fraction of a second, in the zone of
// Timezone Offset From UTC (0008,0201), that of the object for an item of a file, or UTC where that is absent. ok is false when either is absent or malformed.
func (d *Dataset) Time(dateTag, timeTag tag.Tag) (t time.Time, ok bool) {
	date, ok := ParseDA(d.String(dateTag))
	if !ok {
		return time.Time{}, false
	}
	clock, ok := ParseTM(d.String(timeTag))
	if !ok {
		return time.Time{}, false
	}
	y, m, day := date.Date()
	return time.Date(y, m, day, 0, 0, 0, 0, d.zone()).Add(clock), true
}

// DateTime returns the instant that a DT attribute tells, with its fraction of a second. Where the value names no
// offset from UTC it is that of Timezone Offset From UTC, or UTC.
func (d *Dataset) DateTime(t tag.Tag) (time.Time, bool) { return ParseDT(d.String(t), d.zone()) }

func (d *Dataset) zone() *time.Location {
	for _, s := range [...]string{d.String(tag.TimezoneOffsetFromUTC), d.offset} {
		if zone, ok := parseOffset(s); ok {
			return zone
		}
	}
	return time.UTC
}

// ParseDA reads a date, PS3.5 section 6.2: YYYYMMDD, or YYYY.MM.DD as ACR-NEMA wrote it.
func ParseDA(s string) (time.Time, bool) {
	if len(s) == 10 && s[4] == '.' && s[7] == '.' {
		s = s[:4] + s[5:7] + s[8:]
	}
	if len(s) != 8 || !digits(s) {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102", s)
	return t, err == nil
}

// ParseTM reads a time of day, PS3.5 section 6.2: HH, HHMM, HHMMSS or HHMMSS.F to HHMMSS.FFFFFF, or HH:MM:SS as
// ACR-NEMA wrote it. What is left out is 0.
func ParseTM(s string) (time.Duration, bool) {
	if strings.Count(s, ":") == 2 && len(s) >= 8 && s[2] == ':' && s[5] == ':' {
		s = strings.ReplaceAll(s, ":", "")
	}
	whole, fraction, hasFraction := strings.Cut(s, ".")
	if len(whole) != 2 && len(whole) != 4 && len(whole) != 6 || !digits(whole) || !digits(fraction) ||
		hasFraction && (len(whole) != 6 || fraction == "" || len(fraction) > 9) {
		return 0, false
	}
	part := func(at int) int {
		if at >= len(whole) {
			return 0
		}
		return int(whole[at]-'0')*10 + int(whole[at+1]-'0')
	}
	h, m, sec := part(0), part(2), part(4)
	if h > 23 || m > 59 || sec > 60 { // 60 is a leap second
		return 0, false
	}
	clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second
	if fraction != "" {
		ns, _ := strconv.Atoi((fraction + "000000000")[:9])
		clock += time.Duration(ns)
	}
	return clock, true
}

// ParseDT reads a date and time, PS3.5 section 6.2: YYYYMMDDHHMMSS.FFFFFF&ZZXX, where everything behind the year may
// be left out. zone is that of a value without an offset.
func ParseDT(s string, zone *time.Location) (time.Time, bool) {
	if i := strings.LastIndexAny(s, "+-"); i >= 0 {
		own, ok := parseOffset(s[i:])
		if !ok {
			return time.Time{}, false
		}
		s, zone = s[:i], own
	}
	var clock time.Duration
	if len(s) > 8 {
		var ok bool
		if clock, ok = ParseTM(s[8:]); !ok {
			return time.Time{}, false
		}
		s = s[:8]
	}
	switch len(s) {
	case 4:
		s += "0101"
	case 6:
		s += "01"
	}
	date, ok := ParseDA(s)
	if !ok {
		return time.Time{}, false
	}
	y, m, day := date.Date()
	return time.Date(y, m, day, 0, 0, 0, 0, zone).Add(clock), true
}

// parseOffset reads an offset from UTC: +HHMM or -HHMM, from -1200 to +1400.
func parseOffset(s string) (*time.Location, bool) {
	if len(s) != 5 || s[0] != '+' && s[0] != '-' || !digits(s[1:]) {
		return nil, false
	}
	n, _ := strconv.Atoi(s[1:])
	if n%100 > 59 || n > 1400 || s[0] == '-' && n > 1200 {
		return nil, false
	}
	seconds := (n/100*60 + n%100) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone(s, seconds), true
}
