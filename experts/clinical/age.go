package clinical

import (
	"strconv"
	"strings"
	"time"

	"mome/experts"
)

// Age is the patient's age in completed years from what DICOM offers (PS3.3 C.7.1.1 and C.7.2.2): Patient's Age
// (0010,1010), an Age String such as 045Y (PS3.5 6.2), or else the time from Patient's Birth Date (0010,0030) to Study
// Date (0008,0020), YYYYMMDD both. Patient's Age comes first: it was true at the examination, and those who anonymise
// change birth dates. What is absent, malformed or beyond MaxAgeYears is unknown.
func Age(patientAge, birthDate, studyDate string) experts.Quantity {
	if q := ageString(strings.TrimSpace(patientAge)); q.Known {
		return q
	}
	return elapsed(strings.TrimSpace(birthDate), strings.TrimSpace(studyDate))
}

// ageString reads three digits and a unit.
func ageString(text string) experts.Quantity {
	if len(text) != 4 {
		return experts.Quantity{}
	}
	n, err := strconv.ParseUint(text[:3], 10, 16)
	if err != nil {
		return experts.Quantity{}
	}
	perYear, ok := map[byte]float64{'Y': 1, 'M': 12, 'W': 52.1775, 'D': 365.2425}[text[3]] // Gregorian mean year
	if !ok {
		return experts.Quantity{}
	}
	return believed(float64(int(float64(n) / perYear)))
}

// elapsed counts the birthdays from one date to another.
func elapsed(birthDate, studyDate string) experts.Quantity {
	born, errBorn := time.Parse("20060102", birthDate)
	then, errThen := time.Parse("20060102", studyDate)
	if errBorn != nil || errThen != nil || then.Before(born) {
		return experts.Quantity{}
	}
	years := then.Year() - born.Year()
	if then.Month() < born.Month() || then.Month() == born.Month() && then.Day() < born.Day() {
		years--
	}
	return believed(float64(years))
}

func believed(years float64) experts.Quantity {
	if !validAge(years) {
		return experts.Quantity{}
	}
	return experts.Known(years)
}
