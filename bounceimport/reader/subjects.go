package reader

import "strings"

// bounceSubject knows the subjects of bounces, in the languages of the servers
// that translate them.
func bounceSubject(s string) bool {
	for _, w := range []string{"undeliver", "delivery failure", "delivery status", "delivery notification", "delivery report", "delivery has failed", "delivery fail", "failure notice", "failure delivery", "failed delivery", "mail failed", "mail failure",
		"returned mail", "returned to sender", "returning message", "mail delivery", "non-delivery", "nondelivery", "not delivered", "could not be delivered", "couldn't be delivered", "cannot be delivered", "unable to deliver", "mail system error",
		"message delivery", "message status - undeliverable", "warning: could not send", "warning: message", "could not send message", "rejected", "bounce", "unzustellbar", "nicht zugestellt", "zustellung", "unzustellbarkeit", "non remis", "échec de la remise", "non distribu",
		"no se puede entregar", "no se ha podido", "devuelto", "entrega fallida", "não entreg", "falha na entrega", "mancato recapito", "impossibile recapitare", "onbestelbaar", "niet bezorgd", "nie dostarczon", "недоставлен", "не доставлен", "не удалось доставить",
		"配信できません", "配信不能", "送信できません", "届けられません", "配信失敗", "エラー", "退信", "無法傳遞", "无法送达", "退回", "系统退信", "投递失败", "반송", "loop alert", "are not member", "user unknown", "unknown user", "no such user", "mailbox full", "over quota", "failed mail", "undelivered", "address not found", "delivery error"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func bounceBody(s string) bool {
	s = strings.ToLower(s[:min(len(s), 4000)])
	for _, w := range []string{"could not be delivered", "couldn't be delivered", "cannot be delivered", "was not delivered", "delivery failed", "delivery to the following", "undeliverable", "permanent error", "fatal errors", "unable to deliver", "did not reach", "user unknown", "unknown user", "not a member", "duplicated message-id", "was rejected", "no such user", "error occurred while", "permanent failure"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// warning tells a notice that the server is still trying (RFC 3464: "delayed").
func warning(b *bounce) bool {
	subject, _ := headerField(b.m.head, "subject")
	subject = strings.ToLower(decodeWords(subject))
	body := strings.ToLower(b.body)
	for _, w := range []string{"(delay)", "delayed", "warning: could not send", "warning: message", "verzögert", "delayed mail"} {
		if strings.Contains(subject, w) {
			return true
		}
	}
	for _, w := range []string{"this is a warning message only", "you do not need to resend", "has been delayed:", "will be retried for", "delivery attempts will continue", "no action is required on your part", "still being retried", "message will continue to be"} {
		if strings.Contains(body, w) {
			return true
		}
	}
	return false
}

// autoSubject knows the subjects of automatic answers.
func autoSubject(s string) bool {
	for _, w := range []string{"auto:", "auto reply", "auto-reply", "autoreply", "automatic reply", "automatic response", "auto response", "auto-response", "autoresp", "out of office", "out of the office", "out-of-office", "vacation",
		"abwesen", "automatische antwort", "réponse automatique", "absence", "respuesta automática", "fuera de la oficina", "risposta automatica", "resposta automática", "automatisch antwoord", "autosvar", "automatyczna odpowied", "автоответ", "автоматический ответ",
		"自動返信", "自動応答", "不在", "自动回复", "自動回覆", "자동 응답"} {
		if strings.HasPrefix(s, w) || len(w) > 8 && strings.Contains(s, w) {
			return true
		}
	}
	return false
}
