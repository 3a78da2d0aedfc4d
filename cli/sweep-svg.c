/* SPDX-License-Identifier: MIT */
/*
 * A sweep as a picture: four panels over the axis, a line for each combination of the other
 * parameters, whiskers for 95 % intervals, a ring at each knee. The axis is logarithmic where its
 * numbers span a factor of four; what is no number stands side by side.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/svg.h"
#include "cli/sweep-view.h"
#include "cli/text.h"
#include "common/cleanup.h"

#define WIDTH    1200.0
#define HEIGHT   820.0
#define PLOT_W   480.0
#define PLOT_H   255.0
#define LEFT     85.0
#define TOP      120.0
#define STEP_X   585.0
#define STEP_Y   345.0
#define N_COLORS 8u
#define MOST     1024u /* values of an axis */

static const char *const colors[N_COLORS] = {"#1f6fb4", "#d9741a", "#5a9a3c", "#8a6bb0",
                                             "#b03030", "#3a9a9a", "#a08020", "#666666"};

struct picture {
        FILE *out;
        const json_t *document, *rows, *values; /* of the axis */
        const char *axis;
        double x[MOST]; /* of each value, 0..1 */
        size_t n;
        char *texts[N_COLORS]; /* what a row is without the axis */
        size_t n_series;
        bool left_out;
};

struct panel {
        const char *member, *title;
        double left, top, most;
};

/* ---- places ------------------------------------------------------------------------------ */

static void place_values(struct picture *p)
{
        double v[MOST];
        bool numeric = true;
        char *end;

        p->n = json_array_size(p->values);
        p->n = p->n < MOST ? p->n : MOST;
        for (size_t i = 0; i < p->n; i++) {
                const char *s = json_string_value(json_array_get(p->values, i));

                v[i] = strtod(s ? s : "", &end);
                numeric &= s && *s && !*end && isfinite(v[i]) && (!i || v[i] > v[i - 1]);
        }
        if (numeric && v[0] > 0 && v[p->n - 1] >= 4 * v[0])
                for (size_t i = 0; i < p->n; i++)
                        v[i] = log(v[i]);
        for (size_t i = 0; i < p->n; i++) {
                if (p->n == 1)
                        p->x[i] = 0.5;
                else if (numeric)
                        p->x[i] = (v[i] - v[0]) / (v[p->n - 1] - v[0]);
                else
                        p->x[i] = ((double)i + 0.5) / (double)p->n;
        }
}

static double px(const struct picture *p, const struct panel *k, size_t i)
{
        return k->left + 15 + p->x[i] * (PLOT_W - 30);
}

static double py(const struct panel *k, double v)
{
        return k->top + PLOT_H - v / k->most * (PLOT_H - 12);
}

static char *others_of(const struct picture *p, const json_t *row)
{
        _cleanup_(json_decrefp) json_t *values = json_copy(json_object_get(row, "values"));

        json_object_del(values, p->axis);
        return sweep_values_text(values);
}

static void find_series(struct picture *p)
{
        const json_t *row;
        size_t i, k;

        json_array_foreach(p->rows, i, row)
        {
                char *text = others_of(p, row);

                for (k = 0; text && k < p->n_series; k++)
                        if (!strcmp(p->texts[k], text))
                                break;
                if (!text || k < p->n_series || p->n_series == N_COLORS) {
                        p->left_out |= text && k == N_COLORS;
                        free(text);
                        continue;
                }
                p->texts[p->n_series++] = text;
        }
}

/* The row of a series at a value of the axis; NULL: none. */
static const json_t *row_of(const struct picture *p, size_t series, size_t value)
{
        const char *wanted = json_string_value(json_array_get(p->values, value));
        const json_t *row;
        size_t i;

        json_array_foreach(p->rows, i, row)
        {
                _cleanup_(freep) char *text = NULL;
                const char *v = text_string(json_object_get(row, "values"), p->axis, "");

                if (!wanted || strcmp(v, wanted) != 0)
                        continue;
                text = others_of(p, row);
                if (text && !strcmp(text, p->texts[series]))
                        return row;
        }
        return NULL;
}

/* ---- drawing ------------------------------------------------------------------------------ */

static const char *figure(char *buf, const struct panel *k, double v)
{
        if (!strcmp(k->member, "p50_ns"))
                return text_duration(buf, v);
        if (!strcmp(k->member, "efficiency"))
                snprintf(buf, TEXT_CELL, "%.0f%%", v * 100);
        else
                text_count(buf, v);
        return buf;
}

/* 1, 2 or 5 times a power of ten: about five of them. */
static double step_of(double most)
{
        double power = pow(10, floor(log10(most / 5))), n = most / 5 / power;

        return power * (n < 1.5 ? 1 : n < 3.5 ? 2 : n < 7.5 ? 5 : 10);
}

static void put_paper(const struct picture *p, const struct panel *k)
{
        double step = step_of(k->most), last = -100;
        char text[TEXT_CELL];

        fprintf(p->out, "<text class=\"head\" x=\"%.1f\" y=\"%.1f\">", k->left, k->top - 12);
        svg_escaped(p->out, k->title);
        fputs("</text>\n", p->out);
        for (double v = 0; v <= k->most; v += step)
                fprintf(p->out,
                        "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                        "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" "
                        "text-anchor=\"end\">%s</text>\n",
                        k->left, py(k, v), k->left + PLOT_W, py(k, v), k->left - 7, py(k, v) + 4,
                        figure(text, k, v));
        for (size_t i = 0; i < p->n; i++) {
                if (px(p, k, i) - last < 28)
                        continue;
                last = px(p, k, i);
                fprintf(p->out,
                        "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", last,
                        k->top + PLOT_H + 17);
                svg_escaped(p->out, json_string_value(json_array_get(p->values, i)));
                fputs("</text>\n", p->out);
        }
        fprintf(p->out,
                "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n"
                "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                k->left, k->top, PLOT_W, PLOT_H, k->left + PLOT_W / 2, k->top + PLOT_H + 36);
        svg_escaped(p->out, p->axis);
        fputs("</text>\n", p->out);
}

static void put_point(const struct picture *p, const struct panel *k, const json_t *row, double x,
                      const char *color)
{
        const json_t *interval = json_object_get(row, "interval");
        double v = text_number(row, k->member);
        char text[TEXT_CELL];

        if (!strcmp(k->member, "throughput") && json_is_array(interval))
                fprintf(p->out,
                        "<line stroke=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                        color, x, py(k, json_number_value(json_array_get(interval, 0))), x,
                        py(k, fmin(k->most, json_number_value(json_array_get(interval, 1)))));
        fprintf(p->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"><title>", x, py(k, v),
                color);
        svg_escaped(p->out, figure(text, k, v));
        fputs("</title></circle>\n", p->out);
}

static void put_series(const struct picture *p, const struct panel *k, size_t series)
{
        double x0 = NAN, y0 = NAN;

        for (size_t i = 0; i < p->n; i++) {
                const json_t *row = row_of(p, series, i);
                double v = text_number(row, k->member), x = px(p, k, i);

                if (!row || isnan(v)) {
                        x0 = NAN; /* a line never bridges what was not measured */
                        continue;
                }
                if (isfinite(x0))
                        fprintf(p->out,
                                "<line stroke=\"%s\" stroke-width=\"1.8\" x1=\"%.1f\" y1=\"%.1f\" "
                                "x2=\"%.1f\" y2=\"%.1f\"/>\n",
                                colors[series], x0, y0, x, py(k, v));
                x0 = x;
                y0 = py(k, v);
                put_point(p, k, row, x, colors[series]);
        }
}

static void put_knees(const struct picture *p, const struct panel *k)
{
        const json_t *knee;
        size_t i;

        json_array_foreach(json_object_get(p->document, "knees"), i, knee)
        {
                const json_t *row = json_array_get(
                        p->rows, (size_t)json_integer_value(json_object_get(knee, "row")));
                const char *at = text_string(json_object_get(row, "values"), p->axis, "");

                for (size_t v = 0; v < p->n; v++)
                        if (!strcmp(at, json_string_value(json_array_get(p->values, v))))
                                fprintf(p->out,
                                        "<circle class=\"knee\" cx=\"%.1f\" cy=\"%.1f\" "
                                        "r=\"9\"><title>knee</title></circle>\n",
                                        px(p, k, v), py(k, text_number(row, k->member)));
        }
}

static void put_heads(const struct picture *p)
{
        _cleanup_(freep) char *title = text_middle(text_string(p->document, "command", "?"), 110);
        double x = LEFT;

        fputs("<text class=\"title\" x=\"600\" y=\"32\" text-anchor=\"middle\">sweep: ", p->out);
        svg_escaped(p->out, title ? title : "?");
        fputs("</text>\n<text class=\"tick\" x=\"600\" y=\"54\" text-anchor=\"middle\">", p->out);
        svg_escaped(p->out, text_string(p->document, "machine", "machine not known"));
        fputs(p->left_out ? " · only the first combinations are drawn</text>\n" : "</text>\n",
              p->out);
        for (size_t i = 0; i < p->n_series && p->n_series > 1; i++) {
                fprintf(p->out,
                        "<circle cx=\"%.1f\" cy=\"76\" r=\"5\" fill=\"%s\"/><text class=\"tick\" "
                        "x=\"%.1f\" y=\"80\">",
                        x, colors[i], x + 10);
                svg_escaped(p->out, p->texts[i]);
                fputs("</text>\n", p->out);
                x += 40 + 7 * (double)text_width(p->texts[i]);
        }
}

static const char style[] =
        "text{font-family:'DejaVu Sans',Verdana,Helvetica,sans-serif;fill:#222}\n"
        ".title{font-size:16px}\n.head{font-size:14px}\n.tick{font-size:11px;fill:#444}\n"
        ".grid{stroke:#ddd;stroke-width:1}\n.frame{fill:none;stroke:#888}\n"
        ".knee{fill:none;stroke:#b03030;stroke-width:2}\n";

static double most_of(const struct picture *p, const char *member)
{
        double most = 0;
        const json_t *row;
        size_t i;

        json_array_foreach(p->rows, i, row)
        {
                double v = text_number(row, member);

                most = isfinite(v) ? fmax(most, v) : most;
        }
        return most;
}

/* How many panels there are. */
static size_t count_panels(const struct picture *p)
{
        static const char *const members[] = {"throughput", "p50_ns", "efficiency", "overhead"};
        size_t n = 0;

        for (size_t i = 0; i < 4; i++)
                n += most_of(p, members[i]) > 0;
        return n;
}

static void put_panels(const struct picture *p)
{
        bool of_token = !strcmp(text_string(p->document, "latency_of", ""), "token");
        const char *rate = text_string(json_object_get(p->document, "metric"), "what", "");
        const struct panel kinds[] = {
                {"throughput", rate, 0, 0, 0},
                {"p50_ns", of_token ? "latency: p50 of a token" : "latency: p50 of a run", 0, 0, 0},
                {"efficiency", "efficiency: speed-up over the share of workers", 0, 0, 0},
                {"overhead", "overhead: CPU time of a unit of work, over the first's", 0, 0, 0}};
        size_t n = 0;

        for (size_t i = 0; i < 4; i++) {
                struct panel k = kinds[i];

                k.most = most_of(p, k.member) * 1.05;
                if (!(k.most > 0))
                        continue;
                k.left = LEFT + (double)(n % 2) * STEP_X;
                k.top = TOP + (double)(n / 2) * STEP_Y;
                n++;
                put_paper(p, &k);
                for (size_t s = 0; s < p->n_series; s++)
                        put_series(p, &k, s);
                put_knees(p, &k);
        }
}

/* The parameter along which lines go. */
static void choose_axis(struct picture *p)
{
        const json_t *parameters = json_object_get(p->document, "parameters"), *q;
        const char *named = text_string(p->document, "axis", NULL);
        size_t i;

        json_array_foreach(parameters, i, q)
        {
                const char *name = text_string(q, "name", "?");

                if (named ? strcmp(named, name) != 0
                          : p->axis && json_array_size(json_object_get(q, "values")) <= p->n)
                        continue;
                p->axis = name;
                p->values = json_object_get(q, "values");
                p->n = json_array_size(p->values);
        }
}

int sweep_svg(FILE *out, const json_t *document)
{
        struct picture p = {
                .out = out, .document = document, .rows = json_object_get(document, "rows")};

        double height;

        choose_axis(&p);
        if (!p.axis || !(most_of(&p, "throughput") > 0))
                return 1;
        place_values(&p);
        find_series(&p);
        height = count_panels(&p) > 2 ? HEIGHT : HEIGHT - STEP_Y;
        fprintf(out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" "
                "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<style>\n%s</style>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                WIDTH, height, WIDTH, height, style);
        put_heads(&p);
        put_panels(&p);
        fputs("</svg>\n", out);
        for (size_t i = 0; i < p.n_series; i++)
                free(p.texts[i]);
        return ferror(out) ? -ENOMEM : 0;
}
