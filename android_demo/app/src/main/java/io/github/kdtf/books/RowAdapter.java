package io.github.kdtf.books;

import android.text.TextUtils;
import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.BaseAdapter;
import android.widget.Button;
import android.widget.ImageButton;
import android.widget.ListView;
import android.widget.ProgressBar;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.List;

/** Shows rows in a list. */
final class RowAdapter extends BaseAdapter {
    private final LayoutInflater inflater;
    private List<Row> rows = new ArrayList<>();

    RowAdapter(ListView list) {
        inflater = LayoutInflater.from(list.getContext());
        list.setItemsCanFocus(true); // the rows and their buttons, not the list
        list.setAdapter(this);
    }

    void show(List<Row> rows) {
        this.rows = rows;
        notifyDataSetChanged();
    }

    @Override
    public int getCount() {
        return rows.size();
    }

    @Override
    public Row getItem(int place) {
        return rows.get(place);
    }

    @Override
    public long getItemId(int place) {
        return place;
    }

    @Override
    public int getViewTypeCount() {
        return Row.Kind.values().length;
    }

    @Override
    public int getItemViewType(int place) {
        return rows.get(place).kind.ordinal();
    }

    @Override
    public boolean isEnabled(int place) {
        return false; // rows have click listeners of their own
    }

    @Override
    public boolean areAllItemsEnabled() {
        return false;
    }

    @Override
    public View getView(int place, View old, ViewGroup parent) {
        Row row = rows.get(place);
        View view = old != null ? old : inflater.inflate(row.kind.layout, parent, false);
        switch (row.kind) {
            case BOOK: showBook(view, row); break;
            case BOOK_HEAD: showBookHead(view, row); break;
            case BUTTON: showButton(view, row); break;
            case SHEET: showSheet(view, row); break;
            case FACT:
            case FIGURE:
                text(view, R.id.name, row.title);
                text(view, R.id.value, row.second);
                view.setContentDescription(row.kind == Row.Kind.FACT
                        ? row.title + ": " + row.second : row.second + " " + row.title);
                break;
            case HEADING:
                Headings.mark(view);
                ((TextView) view).setText(row.title);
                break;
            default:
                ((TextView) view).setText(row.title);
        }
        return view;
    }

    private static void showBook(View view, Row row) {
        ((CoverView) view.findViewById(R.id.cover)).setTitle(row.title);
        text(view, R.id.title, row.title);
        text(view, R.id.authors, row.second);
        text(view, R.id.mark, row.mark);
        text(view, R.id.because, row.third);
        ProgressBar bar = view.findViewById(R.id.score);
        bar.setVisibility(row.percent < 0 ? View.GONE : View.VISIBLE);
        bar.setProgress(Math.max(0, row.percent));
        View book = view.findViewById(R.id.book);
        book.setContentDescription(row.spoken);
        book.setOnClickListener(row.onClick);
        book.setClickable(row.onClick != null);
        book.setFocusable(true);
        // Without an icon the text keeps its distance from the edge all the same.
        int end = row.actionIcon != 0 ? R.dimen.before_action : R.dimen.edge;
        book.setPaddingRelative(book.getPaddingStart(), book.getPaddingTop(),
                view.getResources().getDimensionPixelSize(end), book.getPaddingBottom());
        ImageButton action = view.findViewById(R.id.action);
        action.setVisibility(row.actionIcon == 0 ? View.GONE : View.VISIBLE);
        action.setImageResource(row.actionIcon);
        action.setContentDescription(row.actionLabel);
        action.setOnClickListener(row.onAction);
    }

    private static void showBookHead(View view, Row row) {
        ((CoverView) view.findViewById(R.id.cover)).setTitle(row.title);
        text(view, R.id.title, row.title);
        text(view, R.id.authors, row.second);
        text(view, R.id.mark, row.mark);
        text(view, R.id.facts, row.third);
    }

    private static void showButton(View view, Row row) {
        Button button = view.findViewById(R.id.button);
        button.setText(row.title);
        button.setOnClickListener(row.onClick);
        button.setBackgroundResource(row.quiet ? R.drawable.button_quiet : R.drawable.button);
        button.setTextColor(view.getContext().getColor(row.quiet ? R.color.accent : R.color.on_accent));
    }

    private static void showSheet(View view, Row row) {
        text(view, R.id.title, row.title);
        text(view, R.id.text, row.second);
        Headings.mark(view.findViewById(R.id.title));
        view.findViewById(R.id.sheet).setBackgroundResource(
                row.warning ? R.drawable.sheet_warning : R.drawable.sheet);
    }

    private static void text(View view, int id, String text) {
        TextView field = view.findViewById(id);
        field.setText(text);
        field.setVisibility(TextUtils.isEmpty(text) ? View.GONE : View.VISIBLE);
    }
}
