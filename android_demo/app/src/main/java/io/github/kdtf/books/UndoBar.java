package io.github.kdtf.books;

import android.app.Activity;
import android.view.View;
import android.widget.TextView;

/** Says what was done last and takes it back; stays until it is dismissed or something else done. */
final class UndoBar {
    private final View bar;
    private final View undo;
    private final TextView text;

    UndoBar(Activity activity, final Library library) {
        bar = activity.findViewById(R.id.undo_bar);
        text = activity.findViewById(R.id.undo_text);
        undo = activity.findViewById(R.id.undo);
        undo.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                library.undo();
            }
        });
        activity.findViewById(R.id.undo_dismiss).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                library.keepChange();
            }
        });
    }

    void show(LibraryState state) {
        bar.setVisibility(state.notSaved || state.lastChange != null ? View.VISIBLE : View.GONE);
        undo.setVisibility(state.notSaved ? View.GONE : View.VISIBLE);
        String said = state.notSaved ? bar.getResources().getString(R.string.not_saved)
                : state.lastChange != null ? Words.done(bar.getResources(), state.lastChange) : "";
        if (!said.contentEquals(text.getText())) {
            text.setText(said); // a live region: said again only when it is something else
        }
    }
}
