/* Mean, spread and 95 % interval of a list of figures. */
#include <math.h>

#include "counterwarp/results.h"

/* Probability that |t| of `freedom` degrees stays under sqrt(freedom) tan(angle): the finite series for whole degrees
 * (Abramowitz and Stegun 26.7.3, 26.7.4). */
static double student_within(double angle, int freedom) {
  const double s = sin(angle), c = cos(angle);
  double term, sum;
  if (freedom % 2) {
    sum = 0;
    term = c;
    for (int k = 1; k <= freedom - 2; k += 2) {
      sum += term;
      term *= c * c * (k + 1) / (k + 2);
    }
    return 2 / acos(-1.0) * (angle + s * sum);
  }
  sum = 0;
  term = 1;
  for (int k = 0; k <= freedom - 2; k += 2) {
    sum += term;
    term *= c * c * (k + 1) / (k + 2);
  }
  return s * sum;
}

/* t with P(|t| < t) = 0.95, by bisection of the angle. */
static double student_95(int freedom) {
  if (freedom > 10000)
    return 1.959964;
  double low = 0, high = acos(-1.0) / 2;
  for (int i = 0; i < 60; i++) {
    const double middle = 0.5 * (low + high);
    if (student_within(middle, freedom) < 0.95)
      low = middle;
    else
      high = middle;
  }
  return sqrt((double)freedom) * tan(0.5 * (low + high));
}

cw_summary cw_summarize(const double *values, int count) {
  cw_summary summary = {count > 0 ? count : 0, NAN, NAN, NAN, NAN};
  if (count < 1)
    return summary;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; i++)
    sum += values[i];
  summary.mean = sum / count;
  if (count < 2)
    return summary;
  for (int i = 0; i < count; i++)
    squares += (values[i] - summary.mean) * (values[i] - summary.mean);
  summary.sd = sqrt(squares / (count - 1));
  const double half = student_95(count - 1) * summary.sd / sqrt((double)count);
  summary.low = summary.mean - half;
  summary.high = summary.mean + half;
  return summary;
}

cw_summary cw_balanced_proportion(double successes_a, int count_a, double successes_b, int count_b) {
  const cw_summary a = cw_proportion(successes_a, count_a), b = cw_proportion(successes_b, count_b);
  cw_summary summary = {a.count + b.count, 0.5 * (a.mean + b.mean), NAN, NAN, NAN};
  summary.low = summary.mean - 0.5 * hypot(a.mean - a.low, b.mean - b.low);
  summary.high = summary.mean + 0.5 * hypot(a.high - a.mean, b.high - b.mean);
  return summary;
}

cw_summary cw_ratio_of_means(const double *numerator, const double *denominator, int count) {
  cw_summary summary = {count > 0 ? count : 0, NAN, NAN, NAN, NAN};
  if (count < 1)
    return summary;
  double a = 0, b = 0, aa = 0, ab = 0, bb = 0;
  for (int i = 0; i < count; i++) {
    a += numerator[i] / count;
    b += denominator[i] / count;
  }
  summary.mean = a / b;
  if (count < 2)
    return summary;
  for (int i = 0; i < count; i++) {
    aa += (numerator[i] - a) * (numerator[i] - a);
    ab += (numerator[i] - a) * (denominator[i] - b);
    bb += (denominator[i] - b) * (denominator[i] - b);
  }
  /* The roots of (a - r b)^2 = t^2 var(a - r b). */
  const double t = student_95(count - 1), scale = t * t / ((double)count * (count - 1));
  const double square = b * b - scale * bb, middle = a * b - scale * ab, rest = a * a - scale * aa;
  if (!(square > 0))
    return summary;
  const double root = sqrt(fmax(middle * middle - square * rest, 0));
  summary.low = (middle - root) / square;
  summary.high = (middle + root) / square;
  return summary;
}

cw_summary cw_proportion(double successes, int count) {
  cw_summary summary = {count > 0 ? count : 0, NAN, NAN, NAN, NAN};
  if (count < 1)
    return summary;
  const double z = 1.959964, n = count, share = successes / n, scale = 1 + z * z / n;
  const double middle = (share + z * z / (2 * n)) / scale;
  const double half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale;
  summary.mean = share;
  summary.low = successes > 0 ? middle - half : 0;
  summary.high = successes < count ? middle + half : 1;
  return summary;
}
