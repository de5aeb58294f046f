package experts

// Setting is one choice or assumption that an expert's numbers rest on, for reports and programs: a threshold, which
// phase was taken as the early one, an assumed T1.
type Setting struct {
	Name  string  // "early phase", "FTV least PE", ...; unique within an opinion
	Value float64 // 0 where Text says it
	Unit  string  // UCUM: "s", "%", "1/min", "mm2/s"; "1" is a bare number
	Text  string  // the value in words where it is no number, such as "assumed"
}
