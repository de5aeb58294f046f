package words

// report are the phrases of the DICOM results, package server/report.
var report = map[string]in{
	"%s AI p=%.2f": {"%s AI p=%.2f", "%s AI p=%.2f"},
	"Measurements for viewers. The whole result is in the other report of this study: %s.": {"뷰어용 측정값입니다. 전체 결과는 이 검사의 다른 보고서에 있습니다: %s.", "供阅片软件使用的测量值。完整结果见本检查的另一份报告：%s。"},
	"INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE":                                      {"연구용 소프트웨어 - 임상 사용 금지 (INVESTIGATIONAL - NOT FOR CLINICAL USE)", "研究用软件 - 不得用于临床 (INVESTIGATIONAL - NOT FOR CLINICAL USE)"},
	"Output of an automated algorithm, not verified by a physician.":                       {"자동 알고리즘의 결과이며 의사가 확인하지 않았습니다.", "本结果由自动算法生成，未经医师核实。"},
	"Lesion %d":             {"병변 %d", "病灶 %d"},
	"Right breast":          {"우측 유방", "右乳"},
	"Left breast":           {"좌측 유방", "左乳"},
	"Fibroglandular tissue": {"섬유선조직", "纤维腺体组织"},
	"%s missing: no series of this kind was used; what needs it is left out.": {"%s 없음: 이 종류의 영상이 사용되지 않아 이것이 필요한 항목은 빠졌습니다.", "缺少 %s：未使用此类序列，相关项目已省略。"},
	"This is not a negative result.":                                          {"이것은 음성 결과가 아닙니다.", "这不是阴性结果。"},
	"No lesion was found.":                                                    {"병변이 발견되지 않았습니다.", "未发现病灶。"},
}
