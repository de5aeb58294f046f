package words

// notes are the sentences that the analysis makes in English, packages below experts and fusion: what was assumed, what
// was missing, how far it agrees with the scanner. They are found by Translate.
var notes = map[string]in{
	// series
	"%s and Acquisition Time disagree on the times of the phases; Acquisition Time was taken.":                       {"시기별 시각에 대해 %s와(과) Acquisition Time이 일치하지 않아 Acquisition Time을 사용했습니다.", "各期时间上 %s 与 Acquisition Time 不一致，采用 Acquisition Time。"},
	"The order of the phases by %s differs from that of their numbers; the times were taken.":                        {"%s에 따른 시기 순서가 번호 순서와 달라 시각을 따랐습니다.", "按 %s 的各期顺序与编号顺序不同，以时间为准。"},
	"The times of the dynamic phases are unknown, only their order is; %s s from phase to phase %s.":                 {"시기별 시각을 알 수 없고 순서만 압니다. 시기 사이 %s초는 %s.", "各动态期的时间未知，只知顺序；期间间隔 %s 秒%s。"},
	"were taken from Temporal Resolution":                                                                            {"Temporal Resolution에서 가져왔습니다", "取自 Temporal Resolution"},
	"were assumed":                                                                                                   {"가정한 값입니다", "为假设值"},
	"One dynamic phase has %d of %d slices and was left out.":                                                        {"한 시기에 절편 %[2]d개 중 %[1]d개만 있어 제외했습니다.", "有一动态期只有 %[2]d 层中的 %[1]d 层，已排除。"},
	"The first dynamic phase has %d of %d slices and was left out: the first of the others may not be pre-contrast.": {"첫 시기에 절편 %[2]d개 중 %[1]d개만 있어 제외했습니다. 나머지의 첫 시기는 조영 전이 아닐 수 있습니다.", "第一期只有 %[2]d 层中的 %[1]d 层，已排除；其余的首期可能不是增强前。"},
	"The %s series was acquired more than %d minutes from the dynamic series.":                                       {"%s 영상은 역동적 조영증강 영상과 %d분 넘게 떨어져 촬영되었습니다.", "%s 序列与动态序列的采集相隔超过 %d 分钟。"},
	"The %s series has another frame of reference than the dynamic series: their alignment is not assured.":          {"%s 영상의 기준 좌표계가 역동적 조영증강 영상과 달라 정렬이 보장되지 않습니다.", "%s 序列与动态序列的参考坐标系不同，无法保证对齐。"},
	"The diffusion series has another frame of reference than the dynamic series: their alignment is not assured.":   {"확산강조영상의 기준 좌표계가 역동적 조영증강 영상과 달라 정렬이 보장되지 않습니다.", "扩散序列与动态序列的参考坐标系不同，无法保证对齐。"},
	"Dynamic phases %d and %d have the same pixels: one is a copy.":                                                  {"%d번째와 %d번째 시기의 픽셀이 같습니다: 하나는 복사본입니다.", "动态第 %d 期与第 %d 期像素相同：其一为副本。"},
	"Dynamic phase %d does not look like the others (correlation %.2f): it may be a difference or a map.":            {"%d번째 시기가 다른 시기와 다르게 보입니다(상관계수 %.2f): 감산 영상이나 지도일 수 있습니다.", "动态第 %d 期与其他期不相似（相关系数 %.2f）：可能是减影或参数图。"},
	"The first dynamic phase is brighter than all others: it may not be the one before contrast.":                    {"첫 시기가 다른 모든 시기보다 밝아 조영 전 영상이 아닐 수 있습니다.", "第一期比其他各期都亮：可能不是增强前的图像。"},
	"The %s series cannot be read: %v.":                                                                              {"%s 영상을 읽을 수 없습니다: %v.", "无法读取 %s 序列：%v。"},
	"The vendor's ADC map is empty.":                                                                                 {"장비의 ADC 지도가 비어 있습니다.", "厂商的 ADC 图为空。"},
	"Series %d holds a dynamic phase a second time: the copy was left out.":                                          {"시리즈 %d에 같은 시기가 두 번 있어 복사본을 제외했습니다.", "序列 %d 重复包含一个动态期，副本已排除。"},
	"The dynamic phases do not share all slices: %d of %d were taken.":                                               {"시기마다 절편이 모두 같지 않아 %[2]d개 중 %[1]d개를 사용했습니다.", "各动态期的层面不完全相同：采用 %[2]d 层中的 %[1]d 层。"},
	"Series %d has the planes of the dynamic series, but may be computed from it: it was left out.":                  {"시리즈 %d은(는) 역동적 조영증강 영상과 같은 면이지만 그것에서 계산된 것일 수 있어 제외했습니다.", "序列 %d 与动态序列层面相同，但可能由其计算得出，已排除。"},
	"There is more than one dynamic series: the one that begins with series %d was taken because %s.":                {"역동적 조영증강 영상이 둘 이상이어서 시리즈 %d(으)로 시작하는 것을 사용했습니다. 이유: %s.", "动态序列不止一个：采用始于序列 %d 者，因为 %s。"},
	"Series %d is another dynamic series of slices beside the one that was read: it was not read.":                   {"시리즈 %d은(는) 읽은 것 외의 다른 역동적 조영증강 영상이며 읽지 않았습니다.", "序列 %d 是所读序列之外的另一动态序列，未读取。"},
	"%d diffusion images without a b-value were left out.":                                                           {"b값이 없는 확산강조영상 %d장을 제외했습니다.", "排除了 %d 幅没有 b 值的扩散图像。"},
	"B %s covers %d of %d slices and was left out.":                                                                  {"b %[1]s은(는) 절편 %[3]d개 중 %[2]d개만 있어 제외했습니다.", "b %[1]s 只覆盖 %[3]d 层中的 %[2]d 层，已排除。"},
	"%d images of b %s have no counterpart in b %s and were left out.":                                               {"b %[2]s의 영상 %[1]d장은 b %[3]s에 대응하는 것이 없어 제외했습니다.", "b %[2]s 的 %[1]d 幅图像在 b %[3]s 中没有对应，已排除。"},
	"%d instances of series %d were given more than once; the copies were left out.":                                 {"시리즈 %[2]d의 인스턴스 %[1]d개가 중복되어 복사본을 제외했습니다.", "序列 %[2]d 有 %[1]d 个实例重复，副本已排除。"},

	// lesion
	"No cleavage was found between the breasts; the midline was taken from the body's extent.": {"유방 사이의 골을 찾지 못해 몸의 폭에서 정중선을 정했습니다.", "未找到乳沟，中线由身体范围确定。"},
	"No %s breast was found on the dynamic series.":                                            {"역동적 조영증강 영상에서 %s 유방을 찾지 못했습니다.", "动态序列上未找到%s乳。"},
	"%d regions enhance like lesions; the %d most suspicious are reported.":                    {"병변처럼 조영증강되는 부위가 %d곳이며 가장 의심되는 %d곳을 보고합니다.", "有 %d 个区域呈病灶样强化，报告最可疑的 %d 个。"},
	"The background enhancement of the %s breast was read from all of its tissue.":             {"%s 유방의 배경 조영증강은 유방 전체 조직에서 읽었습니다.", "%s乳的背景强化由其全部组织读取。"},
	"left":  {"좌측", "左"},
	"right": {"우측", "右"},

	// motion
	"Motion between acquisitions was found and corrected in %d of %d; the largest is that of %s, %.1f mm on average within the breasts (95th percentile %.1f mm).": {"촬영 %[2]d개 중 %[1]d개에서 움직임을 발견하여 보정했습니다. 가장 큰 것은 %[3]s이며 유방 내 평균 %.1[4]f mm입니다(95백분위수 %.1[5]f mm).", "在 %[2]d 次采集中的 %[1]d 次发现并校正了运动；最大者为%[3]s，乳房内平均 %.1[4]f mm（第95百分位 %.1[5]f mm）。"},

	// dce
	"The times of the dynamic phases are not known; early and late phase follow the assumption of %.0f s from the pre-contrast phase to the first post-contrast one and %.0f s to the last.": {"시기별 시각을 알 수 없어 조영 전에서 첫 조영 후 시기까지 %.0f초, 마지막 시기까지 %.0f초로 가정하고 초기와 후기를 정했습니다.", "各动态期的时间未知；早期和晚期按如下假设确定：增强前至增强后首期 %.0f 秒，至末期 %.0f 秒。"},
	"The %s phase is phase %d, %.0f s after the first post-contrast phase began; %.0f s is the definition.":                                                                                  {"%s는 %d번째 시기로, 첫 조영 후 시기 시작 후 %.0f초입니다(정의는 %.0f초).", "%s为第 %d 期，在增强后首期开始后 %.0f 秒；定义为 %.0f 秒。"},
	"early": {"초기", "早期"},
	"late":  {"후기", "晚期"},
	"No phase follows the early one by a minute or more: wash-out, curve types and SER are unknown.": {"초기 시기보다 1분 이상 늦은 시기가 없어 유출, 곡선 유형, SER을 알 수 없습니다.", "没有比早期晚一分钟以上的期相：廓清、曲线类型和 SER 未知。"},
	"The network reads six subtractions; of %d post-contrast phases it was given numbers %s.":        {"모델은 감산 영상 여섯 개를 읽으며, 조영 후 시기 %d개 중 %s번을 넣었습니다.", "模型读取六个减影；在 %d 个增强后期相中给入第 %s 期。"},
	"Ktrans, kep and ve are relative: the arterial curve is a population's, phases last %.0f s, %s.": {"Ktrans, kep, ve는 상대값입니다: 동맥 곡선은 인구 평균이고 시기당 %.0f초이며 %s.", "Ktrans、kep 和 ve 为相对值：动脉曲线取人群平均，每期 %.0f 秒，%s。"},
	"T1 was measured":             {"T1을 측정했습니다", "T1 为实测"},
	"T1 was assumed to be %.2f s": {"T1을 %.2f초로 가정했습니다", "T1 假定为 %.2f 秒"},
	"The maps of Ktrans, kep and ve hold the %d most suspicious regions.": {"Ktrans, kep, ve 지도에는 가장 의심되는 %d곳만 있습니다.", "Ktrans、kep 和 ve 图只包含最可疑的 %d 个区域。"},

	// dwi
	"The vendor's ADC map was taken to be in %s: the median of tissue, %.3g, fits no other unit.":                          {"조직의 중앙값 %.3[2]g에 맞는 단위가 하나뿐이어서 장비의 ADC 지도 단위를 %[1]s(으)로 보았습니다.", "组织中位数 %.3[2]g 只符合一种单位，故将厂商 ADC 图的单位视为 %[1]s。"},
	"The unit of the vendor's ADC map is not known: the median of tissue, %.3g, fits none; no ADC was measured.":           {"장비 ADC 지도의 단위를 알 수 없어(조직의 중앙값 %.3g) ADC를 측정하지 않았습니다.", "厂商 ADC 图的单位未知（组织中位数 %.3g），未测量 ADC。"},
	"The images of b %g s/mm2 were resampled onto those of b %g.":                                                          {"b %g s/mm2 영상을 b %g 영상의 격자로 재표본화했습니다.", "b %g s/mm2 的图像已重采样到 b %g 的图像上。"},
	"The ADC includes b %g s/mm2, below the %g from which perfusion no longer adds to it: no two higher b-values exist.":   {"더 높은 b값이 둘 없어 ADC에 b %g s/mm2가 포함되었습니다. 관류의 영향이 없어지는 %g보다 낮습니다.", "因没有两个更高的 b 值，ADC 包含 b %g s/mm2，低于灌注不再影响的 %g。"},
	"The noise of the diffusion images could not be measured in air; signals near the noise were not left out of the ADC.": {"확산강조영상의 잡음을 공기에서 측정할 수 없어 잡음에 가까운 신호를 ADC에서 제외하지 못했습니다.", "无法在空气中测量扩散图像的噪声，接近噪声的信号未从 ADC 中排除。"},
	"%s The fitted one was used.": {"%s 적합한 값을 사용했습니다.", "%s 采用了拟合值。"},
	"The vendor's ADC map was used: fewer than two b-values of diffusion-weighted images remain.":               {"확산강조영상의 b값이 둘 미만이어서 장비의 ADC 지도를 사용했습니다.", "扩散加权图像剩余的 b 值不足两个，使用厂商的 ADC 图。"},
	"The diffusion channel is the ADC map: no diffusion-weighted images remain.":                                {"확산강조영상이 남지 않아 ADC 지도를 확산 입력으로 썼습니다.", "没有剩余的扩散加权图像，以 ADC 图作为扩散通道。"},
	"Diffusion and dynamic images state different frames of reference; their positions were taken as common.":   {"확산강조영상과 역동적 조영증강 영상의 기준 좌표계가 다르게 적혀 있으나 위치가 같은 것으로 보았습니다.", "扩散图像与动态图像声明的参考坐标系不同，其位置按相同处理。"},
	"T2-weighted and dynamic images state different frames of reference; their positions were taken as common.": {"T2 강조영상과 역동적 조영증강 영상의 기준 좌표계가 다르게 적혀 있으나 위치가 같은 것으로 보았습니다.", "T2 加权图像与动态图像声明的参考坐标系不同，其位置按相同处理。"},
	"The ADC of %s is unknown: it lies outside the diffusion images or its signal is below the noise.":          {"%s의 ADC를 알 수 없습니다: 확산강조영상 밖에 있거나 신호가 잡음보다 낮습니다.", "%s的 ADC 未知：位于扩散图像之外或信号低于噪声。"},
	"%s is smaller than a diffusion voxel; its ADC is a mean over the voxels that it touches.":                  {"%s은(는) 확산강조영상의 복셀보다 작아 닿는 복셀의 평균을 ADC로 합니다.", "%s小于一个扩散体素，其 ADC 为所触及体素的均值。"},

	// t2
	"%s lies outside the T2-weighted images; its T2 ratio is unknown.":                                              {"%s은(는) T2 강조영상 밖에 있어 T2 비를 알 수 없습니다.", "%s位于 T2 加权图像之外，其 T2 比值未知。"},
	"No reference tissue on the T2-weighted images: the T2 ratio of %s is unknown.":                                 {"T2 강조영상에 기준 조직이 없어 %s의 T2 비를 알 수 없습니다.", "T2 加权图像上没有参照组织，%s的 T2 比值未知。"},
	"T2 ratios of the %s breast refer to the other breast's fibroglandular tissue.":                                 {"%s 유방의 T2 비는 반대측 섬유선조직을 기준으로 합니다.", "%s乳的 T2 比值以对侧纤维腺体组织为参照。"},
	"T2 ratios of the %s breast refer to the mean of the whole breast: no fibroglandular tissue was told from fat.": {"섬유선조직을 지방과 구별하지 못해 %s 유방의 T2 비는 유방 전체 평균을 기준으로 합니다.", "未能区分纤维腺体组织与脂肪，%s乳的 T2 比值以整个乳房均值为参照。"},

	// crosscheck
	"%d of %d images or volumes that the scanner's own software computed agree with what was computed here.": {"장비 소프트웨어가 계산한 영상 %[2]d개 중 %[1]d개가 여기에서 계산한 것과 일치합니다.", "扫描仪自身软件计算的 %[2]d 个图像或容积中，%[1]d 个与此处的计算一致。"},
	"The %s in series %d does not show the places of the dynamic series; it was not compared.":               {"시리즈 %[2]d의 %[1]s은(는) 역동적 조영증강 영상과 위치가 달라 비교하지 않았습니다.", "序列 %[2]d 中的%[1]s与动态序列位置不同，未作比较。"},
	"The %s in series %d equals phase %d less phase 1 in all of %d voxels.":                                  {"시리즈 %[2]d의 %[1]s은(는) 모든 %[4]d개 복셀에서 %[3]d번째 시기에서 첫 시기를 뺀 것과 같습니다.", "序列 %[2]d 中的%[1]s在全部 %[4]d 个体素中等于第 %[3]d 期减第 1 期。"},
	"The %s in series %d equals that of phase %d less phase 1 in all of %d voxels.":                          {"시리즈 %[2]d의 %[1]s은(는) 모든 %[4]d개 복셀에서 %[3]d번째 시기에서 첫 시기를 뺀 것의 투사와 같습니다.", "序列 %[2]d 中的%[1]s在全部 %[4]d 个体素中等于第 %[3]d 期减第 1 期的投影。"},
	"The %s in series %d agrees with phase %d less phase 1 (r %.4f over %d voxels).":                         {"시리즈 %[2]d의 %[1]s은(는) %[3]d번째 시기에서 첫 시기를 뺀 것과 일치합니다(복셀 %[5]d개에서 r %.4[4]f).", "序列 %[2]d 中的%[1]s与第 %[3]d 期减第 1 期一致（%[5]d 个体素，r %.4[4]f）。"},
	"The %s in series %d agrees with that of phase %d less phase 1 (r %.4f over %d voxels).":                 {"시리즈 %[2]d의 %[1]s은(는) %[3]d번째 시기에서 첫 시기를 뺀 것의 투사와 일치합니다(복셀 %[5]d개에서 r %.4[4]f).", "序列 %[2]d 中的%[1]s与第 %[3]d 期减第 1 期的投影一致（%[5]d 个体素，r %.4[4]f）。"},
	"subtraction": {"감산 영상", "减影"},
	"projection":  {"투사 영상", "投影"},

	// fuse
	"The model of %s took the patient's age into account.":                                 {"%s 모델은 환자의 나이를 고려했습니다.", "%s模型考虑了患者年龄。"},
	"The model of %s can take the patient's age into account; the images do not state it.": {"%s 모델은 환자의 나이를 고려할 수 있으나 영상에 적혀 있지 않습니다.", "%s模型可考虑患者年龄，但图像未注明。"},
}
