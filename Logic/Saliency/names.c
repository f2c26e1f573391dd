/* Requests and their names. */
#include <stdio.h>
#include <string.h>

#include "counterwarp/saliency.h"

static const char *const METHODS[CW_SALIENCY_METHODS] = {"gradient",   "gradient-x-input",
                                                         "smoothgrad", "integrated-gradients",
                                                         "gradcam",    "gradcam-plusplus",
                                                         "fullgrad",   "guided-backprop",
                                                         "rectgrad",   "lrp",
                                                         "occlusion"};
static const char *const SIGNS[] = {"signed", "positive", "absolute"};

static cw_sign original_sign(cw_saliency_method method) {
  switch (method) {
    case CW_SALIENCY_GRADCAM:
    case CW_SALIENCY_GRADCAM_PLUSPLUS:
    case CW_SALIENCY_GUIDED_BACKPROP:
    case CW_SALIENCY_RECTGRAD:
    case CW_SALIENCY_LRP:
      return CW_POSITIVE;
    case CW_SALIENCY_FULLGRAD:
      return CW_ABSOLUTE;
    default:
      return CW_SIGNED;
  }
}

static cw_lrp lrp_of(cw_lrp_rule rule) {
  const cw_lrp lrp = {rule, rule, rule, 1, 1e-6};
  return lrp;
}

cw_saliency_request cw_saliency_default(cw_saliency_method method, cw_sign sign) {
  cw_saliency_request request = {0};
  request.method = method;
  request.sign = sign;
  request.layer = CW_NONE;
  request.samples = method == CW_SALIENCY_INTEGRATED_GRADIENTS ? 32 : 16;
  request.noise = 0.03;
  request.percentile = 90;
  request.lrp = lrp_of(sign == CW_SIGNED ? CW_LRP_EPSILON : sign == CW_POSITIVE ? CW_LRP_ALPHA_BETA : CW_LRP_ABSOLUTE);
  return request;
}

/* Names that stand for a setting of a method. */
static bool parse_special(const char *word, cw_saliency_request *request) {
  if (!strcmp(word, "rectgrad-x-input")) {
    *request = cw_saliency_default(CW_SALIENCY_RECTGRAD, CW_POSITIVE);
    request->times_input = true;
  } else if (!strcmp(word, "lrp-epsilon")) {
    *request = cw_saliency_default(CW_SALIENCY_LRP, CW_SIGNED);
  } else if (!strcmp(word, "lrp-zplus")) {
    *request = cw_saliency_default(CW_SALIENCY_LRP, CW_POSITIVE);
  } else if (!strcmp(word, "lrp-absolute")) {
    *request = cw_saliency_default(CW_SALIENCY_LRP, CW_ABSOLUTE);
  } else if (!strcmp(word, "lrp-alpha2-beta1")) {
    *request = cw_saliency_default(CW_SALIENCY_LRP, CW_POSITIVE);
    request->lrp.alpha = 2;
  } else if (!strcmp(word, "lrp-composite")) {
    *request = cw_saliency_default(CW_SALIENCY_LRP, CW_POSITIVE);
    request->lrp.dense = CW_LRP_EPSILON;
    request->lrp.input = CW_LRP_BOX;
  } else {
    return false;
  }
  return true;
}

cw_status cw_saliency_parse(cw_context *context, const char *name, cw_saliency_request *request) {
  char word[48];
  const char *dot = strrchr(name, '.');
  const size_t length = dot ? (size_t)(dot - name) : strlen(name);
  int method = CW_SALIENCY_METHODS, sign = -1;
  if (length < sizeof word) {
    memcpy(word, name, length);
    word[length] = 0;
    for (int i = 0; i < 3 && dot; i++)
      if (!strcmp(dot + 1, SIGNS[i]))
        sign = i;
    if (parse_special(word, request)) {
      if (!dot || (request->method == CW_SALIENCY_RECTGRAD && sign >= 0)) {
        request->sign = dot ? (cw_sign)sign : request->sign;
        return CW_OK;
      }
    } else {
      for (method = 0; method < CW_SALIENCY_METHODS && strcmp(word, METHODS[method]); method++)
        ;
    }
  }
  if (method == CW_SALIENCY_METHODS || (dot && sign < 0))
    return cw_fail(context, CW_ERROR_ARGUMENT,
                   "saliency: '%s' is no method; expected METHOD or METHOD.signed, .positive or .absolute, such as "
                   "gradient, gradcam.signed or lrp-epsilon",
                   name);
  *request =
      cw_saliency_default((cw_saliency_method)method, dot ? (cw_sign)sign : original_sign((cw_saliency_method)method));
  return CW_OK;
}

static void lrp_name(const cw_saliency_request *request, char name[64]) {
  const cw_lrp *lrp = &request->lrp;
  if (lrp->dense != lrp->other || lrp->input != lrp->other)
    snprintf(name, 64, "lrp-composite");
  else if (lrp->other == CW_LRP_EPSILON)
    snprintf(name, 64, "lrp-epsilon");
  else if (lrp->other == CW_LRP_ABSOLUTE)
    snprintf(name, 64, "lrp-absolute");
  else if (lrp->other == CW_LRP_BOX)
    snprintf(name, 64, "lrp-box");
  else if (lrp->alpha == 1)
    snprintf(name, 64, "lrp-zplus");
  else
    snprintf(name, 64, "lrp-alpha%g-beta%g", lrp->alpha, lrp->alpha - 1);
}

void cw_saliency_name(const cw_saliency_request *request, char name[64]) {
  const char *method = (unsigned)request->method < CW_SALIENCY_METHODS ? METHODS[request->method] : "unknown";
  const char *sign = (unsigned)request->sign < 3 ? SIGNS[request->sign] : "unknown";
  if (request->method == CW_SALIENCY_LRP)
    lrp_name(request, name);
  else if (original_sign(request->method) == CW_SIGNED && request->sign == CW_SIGNED)
    snprintf(name, 64, "%s", method);
  else
    snprintf(name, 64, "%s%s.%s", method,
             request->method == CW_SALIENCY_RECTGRAD && request->times_input ? "-x-input" : "", sign);
}

const char *cw_saliency_usual(int index) {
  static const char *const names[] = {"gradient",
                                      "gradient-x-input",
                                      "smoothgrad",
                                      "integrated-gradients",
                                      "gradcam",
                                      "gradcam.signed",
                                      "gradcam-plusplus",
                                      "gradcam-plusplus.signed",
                                      "fullgrad",
                                      "fullgrad.positive",
                                      "fullgrad.signed",
                                      "guided-backprop",
                                      "guided-backprop.signed",
                                      "rectgrad",
                                      "rectgrad.signed",
                                      "rectgrad-x-input",
                                      "lrp-zplus",
                                      "lrp-epsilon",
                                      "lrp-alpha2-beta1",
                                      "lrp-composite",
                                      "occlusion"};
  return index >= 0 && index < (int)(sizeof names / sizeof *names) ? names[index] : NULL;
}
